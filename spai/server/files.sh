#!/bin/sh
# Writes the secrets and addresses of one server: sh spai/server/files.sh spai.example.org. compose.yaml reads them.
set -eu
host=${1:?give the name under which people reach the server}
cd "$(dirname "$0")/../.."
umask 077
mkdir -p var/server
cd var/server
if [ -e site.env ]; then
    echo "var/server/site.env exists and is kept: its passwords are those of the databases." >&2
    exit 1
fi
word() { head -c 32 /dev/urandom | base64 | tr -d '+/=\n'; }
owner=$(word) spai=$(word) mlflow=$(word) redis=$(word) login=$(word)
cat > databases.env <<END
POSTGRES_PASSWORD=$(word)
OWNER_PASSWORD=$owner
SPAI_PASSWORD=$spai
MLFLOW_PASSWORD=$mlflow
REDIS_PASSWORD=$redis
END
cat > owner.env <<END
DATABASE_URL=postgresql://spai_owner:$owner@postgres:5432/spai
END
cat > mlflow.env <<END
DATABASE_URL=postgresql://mlflow:$mlflow@postgres:5432/spai
MLFLOW_TRACKING_USERNAME=spai
MLFLOW_TRACKING_PASSWORD=$login
MLFLOW_FLASK_SERVER_SECRET_KEY=$(word)
END
cat > site.env <<END
SECRET_KEY=$(word)$(word)
DATABASE_URL=postgresql://spai:$spai@postgres:5432/spai
REDIS_URL=redis://:$redis@redis:6379/0
MLFLOW_TRACKING_URI=http://mlflow:5000
MLFLOW_TRACKING_USERNAME=spai
MLFLOW_TRACKING_PASSWORD=$login
ALLOWED_HOSTS=$host,127.0.0.1
SPAI_WEB_URL=https://$host
SPAI_ADMIN_URL=https://$host
SPAI_PUSH_URL=https://$host
SPAI_PROXIES=1
SPAI_SANDBOX=false
SPAI_SANDBOX_URL=http://sandbox:8003
SPAI_METRICS_TOKEN=$(word)
END
echo "Wrote site.env, owner.env, mlflow.env and databases.env in var/server, readable only by their owner."
