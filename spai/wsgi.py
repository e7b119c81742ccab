"""The WSGI application of the processes `web` and `office`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")

application = get_wsgi_application()
