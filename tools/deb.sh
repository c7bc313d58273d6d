#!/bin/sh
# Build dist/stratd_VERSION_ARCH.deb by Debian's own tools; packaging/README.md says what is in it and why.
# The date is that of the last commit, so that the same commit makes the same package.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/.venv/bin
command -v dpkg-buildpackage >/dev/null && command -v dh >/dev/null || {
    echo "stratd: needs dpkg-buildpackage and dh: apt install debhelper" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/stratd
mkdir -p "$tree/wheels" "$tree/command" "$tree/units" "$root/dist"
cp -r "$root/packaging/debian" "$tree/debian"
"$bin/python" "$root/tools/wheelhouse.py" "$tree/wheels"
"$bin/python" "$root/tools/manual.py" "$tree/completions"
mv "$tree/completions/stratd.1" "$tree/"
install -m 0755 "$root/packaging/stratd.sh" "$tree/command/stratd"
cp "$root"/systemd/*.service "$root"/systemd/*.socket "$tree/units/"

version=$(basename "$tree"/wheels/stratd-*.whl | cut -d- -f2)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
python=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
next=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % (sys.version_info[0], sys.version_info[1] + 1))')
sed -i "s/@PYTHON@/$python/; s/@NEXT@/$next/" "$tree/debian/control"
# As with dch(1): DEBFULLNAME and DEBEMAIL say who makes the package, else git does.
maintainer="${DEBFULLNAME:-$(git -C "$root" config user.name)} <${DEBEMAIL:-$(git -C "$root" config user.email)}>"
sed -i "s/@MAINTAINER@/$maintainer/" "$tree/debian/control"
{
    printf 'stratd (%s) unstable; urgency=medium\n\n' "$version"
    printf '  * CHANGELOG.md of the sources says what is new for users.\n\n'
    printf ' -- %s  %s\n' "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} > "$tree/debian/changelog"

(cd "$tree" && dpkg-buildpackage --build=binary --unsigned-changes --no-check-builddeps >"$work/log" 2>&1) || {
    cat "$work/log" >&2
    exit 1
}
package=$(echo "$work"/stratd_*.deb)
cp "$package" "$root/dist/"
if command -v lintian >/dev/null; then
    lintian --fail-on error,warning --tag-display-limit 0 --allow-root "$work"/stratd_*.changes
else
    echo "stratd: lintian is not there: not checked (apt install lintian)" >&2
fi
echo "$root/dist/$(basename "$package")"
