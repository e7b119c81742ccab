#!/bin/sh
# Makes .venv equal to a lock while an image is built: sh requirements/image.sh web. Neither pip nor uv stays in the image.
set -eu
folder=$(dirname "$0")
python3 -m venv /tmp/uv
PIP_CERT=/etc/ssl/certs/ca-certificates.crt /tmp/uv/bin/pip install --quiet --no-cache-dir --require-hashes -r "$folder/bootstrap.txt"
[ -d .venv ] || /tmp/uv/bin/uv venv --no-cache --python "$(command -v python3)" .venv
/tmp/uv/bin/uv pip sync --quiet --system-certs --no-cache --require-hashes --python .venv "$folder/$1.txt"
PYTHONPATH=$folder .venv/bin/python -c "import install; exec(install.COMPILE)"
rm -rf /tmp/uv
