import os

import pytest
from django.core.cache import cache
from django.db import connection


@pytest.mark.django_db
def test_the_test_run_has_a_postgresql_of_its_own():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_the_test_run_has_a_redis_of_its_own():
    cache.set("question", 42, timeout=5)
    assert cache.get("question") == 42
    assert os.environ["REDIS_URL"].startswith("redis://")
