"""The addresses of pages, REST and push."""

urlpatterns: list = []
websocket_urlpatterns: list = []
