#!/usr/bin/env bash
# Makes what a deployment keeps secret, into a folder: a test CA with one certificate, a token, and keys of the store's
# users. What is there stays, so your own files may stand in for any of these; a certificate of our CA that ends within
# 30 days is made anew. For production, see docs/deploy.md.
#   deploy/secrets.sh [FOLDER]     default: deploy/secrets
set -euo pipefail
folder=${1:-$(dirname "$0")/secrets}
hosts=(segmentation reference generation evaluation pipeline minio)
users=(root segmentation reference generation evaluation pipeline models)

main() {
  command -v openssl >/dev/null || { echo "expected the command openssl, found none; install it" >&2; exit 1; }
  umask 022  # containers run as user 10001 and must read the files; the folder around them is closed
  mkdir -p "$folder" && chmod 700 "$folder"
  once tls/tls.crt certificate
  once token/token random
  for user in "${users[@]}"; do
    once "store-$user/access-key" printf %s "biosynth-$user"
    once "store-$user/secret-key" random
  done
  echo "secrets are in $folder: keep it out of git and of backups that others read"
}

once() {  # once FILE COMMAND...: the command's output becomes the file, unless it is there
  local file=$folder/$1
  if [ "$1" = tls/tls.crt ]; then renew "$file"; fi
  if [ -s "$file" ]; then return; fi
  mkdir -p "${file%/*}"
  "${@:2}" >"$file.new"
  mv "$file.new" "$file"
  echo "made $file"
}

random() { openssl rand -hex 24; }

renew() {
  if [ -s "$1" ] && [ -s "$folder/ca/ca.key" ] && ! openssl x509 -in "$1" -noout -checkend $((30 * 86400)) >/dev/null; then
    echo "$1 ends within 30 days"; rm "$1"
  fi
}

certificate() {  # prints it; its key and the CA go beside it
  mkdir -p "$folder/ca"
  if [ ! -s "$folder/ca/ca.key" ]; then
    (umask 077; openssl ecparam -name prime256v1 -genkey -noout -out "$folder/ca/ca.key")
    openssl req -x509 -new -key "$folder/ca/ca.key" -sha256 -days 3650 -subj "/CN=biosynth test CA" -out "$folder/tls/ca.crt"
  fi
  openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt >"$folder/tls/tls.key"
  openssl req -new -key "$folder/tls/tls.key" -subj "/CN=biosynth" |
    openssl x509 -req -CA "$folder/tls/ca.crt" -CAkey "$folder/ca/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
      -sha256 -days 365 -extfile <(extensions)
}

extensions() {  # every name that a client of this deployment dials
  local names="DNS:localhost,IP:127.0.0.1"
  for host in "${hosts[@]}"; do
    for suffix in "" .biosynth .biosynth.svc .biosynth.svc.cluster.local; do names+=",DNS:$host$suffix"; done
  done
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n' "$names"
  printf 'keyUsage=digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
}

main
