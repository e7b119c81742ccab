"""The WSGI application of the processes `web` and `office`; `web` loads its models before it is ready."""

import os
import threading

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")

application = get_wsgi_application()


def _warm_up() -> None:
    from django.utils import timezone

    from apps.ml import serving

    serving.warm_up(now=timezone.now())


if settings.SPAI_FACE == "web":
    threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()
