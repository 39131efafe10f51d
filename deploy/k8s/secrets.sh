#!/usr/bin/env bash
# Makes the Kubernetes Secrets of biosynth from a folder, or brings them up to date.
#   secrets.sh [FOLDER] [NAMESPACE]    default: deploy/secrets (deploy/secrets.sh makes it), biosynth
# FOLDER holds tls/ token/ and store-USER/ for each user; each becomes the Secret biosynth-<its name>. ca/ stays here.
# Running pods see new files after a minute; services read new certificates, tokens and store keys then.
set -euo pipefail
folder=${1:-$(cd "$(dirname "$0")/.." && pwd)/secrets} namespace=${2:-biosynth}
required=(tls/ca.crt tls/tls.crt tls/tls.key token/token)
for user in segmentation reference generation evaluation pipeline models; do
  required+=("store-$user/access-key" "store-$user/secret-key")
done

for file in "${required[@]}"; do
  [ -s "$folder/$file" ] || { echo "expected the file $folder/$file; deploy/secrets.sh makes such a folder for a try" >&2; exit 1; }
done
kubectl get namespace "$namespace" >/dev/null 2>&1 || {
  echo "expected the namespace $namespace; kubectl apply -f deploy/k8s/base/namespace.yaml makes it" >&2; exit 1; }
for path in "$folder"/tls "$folder"/token "$folder"/store-*; do
  kubectl --namespace "$namespace" create secret generic "biosynth-$(basename "$path")" --from-file="$path" \
    --dry-run=client --output yaml | kubectl apply --server-side --filename -
done
