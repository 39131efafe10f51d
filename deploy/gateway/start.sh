#!/bin/sh
# Fills in nginx.conf, which lies beside this file, and becomes nginx, which so gets the container's signals itself.
#   GATEWAY_SUFFIX          what follows a service's name in its address; default :50051
#   GATEWAY_VERIFY_CLIENT   on: callers need a certificate of ca.crt (mutual TLS); default off
#   GATEWAY_TLS             folder of tls.crt, tls.key and ca.crt; default /run/secrets/tls
#   GATEWAY_RESOLVER        DNS server; default: those of /etc/resolv.conf
#   GATEWAY_ADDRESS, GATEWAY_HEALTH_ADDRESS   where to listen; defaults 50051 and 50052, on all addresses
#   GATEWAY_FOLDER          where it may write; default /tmp
set -eu
folder=${GATEWAY_FOLDER:-/tmp} tls=${GATEWAY_TLS:-/run/secrets/tls}
# nginx wants IPv6 addresses in brackets.
resolver=${GATEWAY_RESOLVER:-$(sed -n 's/^nameserver[[:space:]]*//p' /etc/resolv.conf | sed 's/.*:.*/[&]/' | tr '\n' ' ')}

[ -n "$resolver" ] || { echo "cannot start: expected a nameserver in /etc/resolv.conf or in GATEWAY_RESOLVER" >&2; exit 1; }
for file in "$tls/tls.crt" "$tls/tls.key" "$tls/ca.crt"; do
  [ -r "$file" ] || { echo "cannot start: expected to read $file" >&2; exit 1; }
done

sed -e "s|@FOLDER@|$folder|" -e "s|@TLS@|$tls|" -e "s|@RESOLVER@|$resolver|" \
  -e "s|@SUFFIX@|${GATEWAY_SUFFIX:-:50051}|" -e "s|@VERIFY_CLIENT@|${GATEWAY_VERIFY_CLIENT:-off}|" \
  -e "s|@ADDRESS@|${GATEWAY_ADDRESS:-50051}|" -e "s|@HEALTH_ADDRESS@|${GATEWAY_HEALTH_ADDRESS:-50052}|" \
  "$(dirname "$0")/nginx.conf" >"$folder/nginx.conf"
exec nginx -e stderr -c "$folder/nginx.conf" "$@"
