#!/usr/bin/env bash
# Fails when a generated file is not what `go generate` gives, or is one that nothing generates. It generates in a copy
# of the tree, uncommitted changes included, and touches nothing in the tree itself.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# Files that were deleted but not committed so are still listed.
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done |
  tar -c --null --no-recursion -T - | tar -x -C "$copy"

generated() { find . -name '*.gen.go' -not -path '*/node_modules/*' | LC_ALL=C sort; }

here=$(generated)
(cd "$copy" && generated | xargs rm -f && "$go" generate .)
there=$(cd "$copy" && generated)

stale=0
for file in $(printf '%s\n' "$here" "$there" | LC_ALL=C sort -u); do
  diff -u -N --label "$file (in the tree)" --label "$file (as generated)" "$file" "$copy/$file" >"$copy/diff" && continue
  stale=1
  # The first lines tell what it is about; a whole client would tell no more.
  sed -n '1,40p' "$copy/diff"
done
if [ "$stale" = 1 ]; then
  echo "Generated code is not what openapi/ gives. Run 'make generate' and commit what it wrote." >&2
  exit 1
fi
echo "Generated code is what openapi/ gives: $(printf '%s\n' "$here" | wc -l) files."
