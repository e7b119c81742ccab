"""The WSGI application of the processes `web` and `admin`, which `spai.front` serves.

Both watch the API keys, and `web` loads the models.
"""

import os
import threading

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.utils import timezone

from spai.charsets import utf8_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")

application = utf8_application(get_wsgi_application())


def _refresh_models() -> None:
    from apps.ml import serving

    serving.refresh_models(clock=timezone.now)


def _watch_keys() -> None:
    from apps.api import services

    services.watch_keys()


threading.Thread(target=_watch_keys, name="api-keys", daemon=True).start()
if settings.SPAI_ROLE == "web":
    threading.Thread(target=_refresh_models, name="models", daemon=True).start()
