#!/usr/bin/env bash
# Names the production overlay's images by digest, as they were pushed to a registry: a tag may move, a digest cannot.
#   pin.sh REGISTRY [VERSION]    REGISTRY such as registry.example.org/team; VERSION is the tag, default 0.1.0
# Push first: for each NAME below, docker tag biosynth/NAME:VERSION REGISTRY/biosynth/NAME:VERSION, and docker push that.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,4p' "$0"; exit 2; }
registry=$1 version=${2:-0.1.0}
file=$(cd "$(dirname "$0")" && pwd)/overlays/production/images/kustomization.yaml

pin() {  # pin NAME-IN-BASE NAME-IN-REGISTRY
  local pushed=$registry/biosynth/$2 digest
  digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$pushed:$version" 2>/dev/null |
    sed -n "s|^$pushed@||p" | head -n 1)
  [ -n "$digest" ] || { echo "expected $pushed:$version to have been pushed from here; docker knows no digest of it" >&2; exit 1; }
  echo "  - {name: biosynth/$1, newName: $pushed, digest: \"$digest\"}"
}

pinned=$(
  for name in segmentation reference evaluation pipeline gateway cli; do pin "$name" "$name"; done
  pin generation generation-cuda
)
cat >"$file" <<Y
# Written by pin.sh: the images of $version in $registry.
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
images:
$pinned
Y
echo "wrote $file"
