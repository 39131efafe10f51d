#!/bin/sh
# Starts MinIO with the root keys of two files. Without them MinIO would fall back to keys that everybody knows.
set -eu
for variable in MINIO_ROOT_USER_FILE MINIO_ROOT_PASSWORD_FILE; do
  eval "file=\${$variable:-}"
  [ -s "$file" ] || { echo "expected $variable to name a file that holds something, got '$file'" >&2; exit 1; }
done
exec minio "$@"
