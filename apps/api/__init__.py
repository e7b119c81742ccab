"""Web interfaces for people and programs: pages, REST, push and push-in."""
