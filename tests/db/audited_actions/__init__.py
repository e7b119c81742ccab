"""How each action of the admin is carried out: for the test that looks for its entry of the audit.

Importing the modules declares their cases.
"""

from tests.db.audited_actions import api, matches, ml, scraping, site
from tests.db.audited_actions.cases import CASES, NO_ACTION, Room

__all__ = ["CASES", "NO_ACTION", "Room", "api", "matches", "ml", "scraping", "site"]
