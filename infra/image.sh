#!/bin/sh
# The steps of the container image, which run anywhere:
#   image.sh dependencies TREE   a virtual environment with what the product needs; KCL_MVN_REPO_SEARCH_URL, which
#                                ends with a slash, names a mirror of Maven Central for the library's jars
#   image.sh product TREE        the product into it
#   image.sh check TREE          fails where it wouldn't run, or holds what only a build needs
# Once built the tree can't be moved. PYTHON: which one it is made with.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
command=$1 tree=$2

# pip stays outside of the tree, in a folder that goes with this script.
pip_install() {
    tools=$(mktemp -d)
    trap 'rm -rf "$tools"' EXIT
    "${PYTHON:-python3}" -m venv "$tools"
    "$tools/bin/python" -m pip --python "$tree/bin/python" --no-cache-dir --disable-pip-version-check \
        --quiet install --compile --use-pep517 "$@"
}

dependencies() {
    [ -n "${KCL_MVN_REPO_SEARCH_URL:-}" ] || unset KCL_MVN_REPO_SEARCH_URL
    "${PYTHON:-python3}" -m venv --without-pip "$tree"
    pip_install --require-hashes --only-binary :all: --no-binary amazon_kclpy -r "$source/infra/image.lock"
}

product() {
    pip_install --no-deps "$source"
}

in_tree() {
    (cd / && env -i PATH="$tree/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 "$@")
}

check() {
    in_tree sesmailengine --help > /dev/null
    in_tree python -c 'from consumers.kcl.daemon import installed; installed()'
    in_tree python -c 'from pathlib import Path; import infra.shard as m; assert Path(m.__cached__).exists()'
    left=$(find "$tree" -name pip -o -name setuptools -o -name wheel -o -name hatchling)
    [ -z "$left" ] || { echo "left from the build: $left" >&2; exit 1; }
}

case $command in
    dependencies | product | check) "$command" ;;
    *) sed -n '2,/^set/{/^#/p;}' "$0" >&2; exit 2 ;;
esac
