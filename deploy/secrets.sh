#!/usr/bin/env bash
# Makes what a deployment keeps secret, into a folder: a test CA, a certificate of the services and one of their callers
# (client/, for mutual TLS), a token, and keys of the store's users. Files that exist stay, so any of them may be your
# own; but a certificate that ends within 30 days, or lacks a host's name, is renewed where its CA's key is in ca/. Production: docs/deploy.md.
#   deploy/secrets.sh [FOLDER]     default: deploy/secrets
set -euo pipefail
folder=${1:-$(dirname "$0")/secrets}
ca=$folder/tls/ca.crt ca_key=$folder/ca/ca.key
hosts=(gateway segmentation reference generation evaluation pipeline minio)
users=(root segmentation reference generation evaluation pipeline models bulk-generation evaluation-job)

main() {
  command -v openssl >/dev/null || fail "expected the command openssl, found none; install it"
  umask 022  # containers run as user 10001 and must read the files; the folder around them has mode 700
  mkdir -p "$folder" && chmod 700 "$folder"
  certificate tls service
  if is_ours; then certificate client caller; fi
  once token/token random
  for user in "${users[@]}"; do
    once "store-$user/access-key" printf %s "biosynth-$user"
    once "store-$user/secret-key" random
  done
  echo "secrets are in $folder: keep it out of git and of backups that others read"
}

fail() { echo "$1" >&2; exit 1; }

once() { if [ ! -s "$folder/$1" ]; then make "$@"; fi; }

make() {  # make FILE COMMAND...: the command's output becomes the file, whole or not at all
  local file=$folder/$1
  mkdir -p "${file%/*}"
  "${@:2}" >"$file.new"
  mv "$file.new" "$file"
  echo "made $file"
}

random() { openssl rand -hex 24; }

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt; }

certificate() {  # certificate FOLDER KIND: a key and its certificate, unless there is one that does not end soon
  local file=$folder/$1/tls.crt
  if [ ! -s "$file" ]; then
    authority "$file"
    once "$1/tls.key" key
    make "$1/tls.crt" issue "$1" "$2"
  elif is_ours && { ends_soon "$file" || lacks_a_name "$file" "$2"; }; then
    echo "$file ends within 30 days, or lacks a name that callers dial"
    make "$1/tls.crt" issue "$1" "$2"
  fi
}

lacks_a_name() {  # lacks_a_name FILE KIND: whether a service's certificate is of a time when there were fewer hosts
  [ "$2" = service ] || return 1
  for host in "${hosts[@]}"; do openssl x509 -in "$1" -noout -checkhost "$host" | grep -q "does match" || return 0; done
  return 1
}

ends_soon() { ! openssl x509 -in "$1" -noout -checkend $((30 * 86400)) >/dev/null; }

is_ours() {  # whether the key of ca.crt is here
  [ -s "$ca_key" ] && [ "$(openssl x509 -in "$ca" -noout -pubkey)" = "$(openssl pkey -in "$ca_key" -pubout)" ]
}

authority() {  # authority FILE: what signs FILE
  if [ ! -s "$ca" ]; then
    (umask 077; once ca/ca.key key)
    make tls/ca.crt self_sign
  elif ! is_ours; then
    fail "expected in $ca_key the key of $ca, to make $1 with; put it there, or put your own tls.crt and tls.key beside ca.crt, or delete $folder/tls"
  fi
}

self_sign() {
  openssl req -x509 -new -key "$ca_key" -sha256 -days 3650 -subj "/CN=biosynth test CA" \
    -config <(settings) -extensions authority
}

issue() {  # issue FOLDER KIND
  openssl req -new -key "$folder/$1/tls.key" -subj "/CN=biosynth $2" -config <(settings) |
    openssl x509 -req -CA "$ca" -CAkey "$ca_key" -set_serial "0x$(openssl rand -hex 16)" -sha256 -days 365 \
      -extfile <(settings) -extensions "$2"
}

settings() {  # instead of the machine's openssl.cnf, which may lack what clients check
  local names="DNS:localhost,IP:127.0.0.1"  # every name that a client of this deployment dials
  for host in "${hosts[@]}"; do
    for suffix in "" .biosynth .biosynth.svc .biosynth.svc.cluster.local; do names+=",DNS:$host$suffix"; done
  done
  cat <<END
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[service]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectAltName = $names
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[caller]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END
}

main
