#!/usr/bin/env bash
# Runs the pipeline on an image, with the bytes in the call or by way of the store, and writes the generated image:
#   run.sh inline|links IMAGE OUT.png          (needs grpcurl, jq and curl; -format-error prints errors with details)
set -euo pipefail
way=$1 from=$2 to=$3

call() { # METHOD: the request as JSON on stdin, the reply as JSON on stdout
  local security=(-plaintext)
  if test -n "${BIOSYNTH_ENDPOINT_CA_FILE:-}"; then security=(-cacert "$BIOSYNTH_ENDPOINT_CA_FILE"); fi
  if test -n "${BIOSYNTH_ENDPOINT_TOKEN_FILE:-}"; then
    export TOKEN; TOKEN=$(head -n 1 "$BIOSYNTH_ENDPOINT_TOKEN_FILE") # not among the arguments, which `ps` shows
    security+=(-expand-headers -H 'authorization: Bearer ${TOKEN}')
  fi
  grpcurl "${security[@]}" -import-path "${BIOSYNTH_PROTOS:-protos}" -proto biosynth/v1/pipeline.proto \
    -import-path "$(dirname "$0")/.." -proto details.proto \
    -max-time 120 -max-msg-sz $((68 * 1024 * 1024)) -format-error -d @ \
    "${BIOSYNTH_ENDPOINT:-127.0.0.1:50051}" "biosynth.v1.PipelineService/$1"
}

run() { # the request as JSON on stdin, the generated image's Content as JSON on stdout, progress on stderr
  call Run | tee >(jq -r '.progress // empty | "\(.stage) \(if .done then "done" else "..." end)"' >&2) |
    jq '.result // empty | .generation.image'
}

case $way in
inline)
  base64 <"$from" | tr -d '\n' | jq -R '{image: {file: .}, delivery: "DELIVERY_FILE"}' | run |
    jq -r .file | base64 -d >"$to"
  ;;
links)
  sha256=$(sha256sum <"$from" | cut -d ' ' -f 1)
  upload=$(jq -n --arg sha256 "$sha256" --argjson size "$(wc -c <"$from")" --arg extension "${from##*.}" \
    '{$sha256, sizeBytes: $size, $extension}' | call CreateUpload)
  url=$(jq -r '.url // empty' <<<"$upload")
  if test -n "$url"; then # empty: the store has it
    jq -r '.headers | to_entries[] | "\(.key): \(.value)"' <<<"$upload" |
      curl --silent --show-error --fail --header @- --upload-file "$from" "$url"
  fi
  object=$(jq '{image: {object}, delivery: "DELIVERY_OBJECT"}' <<<"$upload" | run)
  url=$(call CreateDownload <<<"$object" | jq -r .url)
  curl --silent --show-error --fail --output "$to" "$url"
  ;;
esac
echo "wrote $to, $(wc -c <"$to") bytes"
