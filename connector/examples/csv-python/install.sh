#!/bin/sh
# Makes venv/ with the libraries and gen/ with what the proto files say, beside this file.
set -eu
cd "$(dirname "$(readlink -f "$0")")"
proto=../../../proto
python3 -m venv venv
venv/bin/pip install --quiet --requirement requirements.txt
mkdir -p gen
venv/bin/python -m grpc_tools.protoc -I "$proto" --python_out=gen --grpc_python_out=gen "$proto"/sluice/connector/v1/*.proto
