#!/usr/bin/env bash
# Installs the Autobahn test suite into DIR and nothing anywhere else. It needs a Python 2.7, which comes unpacked from the packages
# of an older Debian; the rest comes from PyPI, all pinned.
#
#     conformance_setup.sh DIR        then: DIR/wstest -m fuzzingclient -s SPEC.json
set -euo pipefail

dir=$(realpath -m "$1")
if [[ -e $dir/.ready ]]; then exit 0; fi
for tool in apt-get dpkg python3; do
  command -v "$tool" >/dev/null || { echo "the conformance suite is set up with $tool, which is not here" >&2; exit 1; }
done
mkdir -p "$dir"/{packages,lists/partial,cache/archives/partial,root,site,wheels}

# The same mirror as the system's, so that whatever it is reached through is used.
mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} bullseye main" \
  >"$dir/sources.list"
apt=(apt-get -qq
  -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=-
  -o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o "APT::Sandbox::User=$(id -un)")
"${apt[@]}" update
(cd "$dir/packages" && "${apt[@]}" download \
  libffi7 libssl1.1 python2.7 python2.7-minimal python2.7-dev \
  libpython2.7 libpython2.7-minimal libpython2.7-stdlib libpython2.7-dev)
for package in "$dir"/packages/*.deb; do dpkg -x "$package" "$dir/root"; done

cat >"$dir/python" <<EOF
#!/usr/bin/env bash
export LD_LIBRARY_PATH=$dir/root/usr/lib/$(uname -m)-linux-gnu PYTHONHOME=$dir/root/usr PYTHONPATH=$dir/site
exec $dir/root/usr/bin/python2.7 -W ignore "\$@"
EOF
chmod +x "$dir/python"

python3 -m pip download -q --no-deps --python-version 27 --only-binary=:all: --platform any --implementation py \
  -d "$dir/wheels" pip==20.3.4 setuptools==44.1.1 wheel==0.37.1
for wheel in "$dir"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$dir/site"; done
"$dir/python" -m pip install -q --disable-pip-version-check --no-python-version-warning --no-deps --target "$dir/site" \
  autobahntestsuite==25.10.1 autobahn==0.10.9 txaio==2.1.0 Twisted==20.3.0 zope.interface==5.5.2 Automat==20.2.0 \
  PyHamcrest==1.9.0 attrs==21.4.0 constantly==15.1.0 hyperlink==21.0.0 idna==2.10 incremental==21.3.0 six==1.16.0 \
  typing==3.10.0.0 cryptography==3.3.2 cffi==1.15.1 pycparser==2.21 enum34==1.1.10 ipaddress==1.0.23 pyOpenSSL==21.0.0 \
  klein==20.6.0 Tubes==0.2.0 Werkzeug==0.16.1 Jinja2==2.11.3 MarkupSafe==1.1.1 unittest2==1.1.0 traceback2==1.4.0 \
  linecache2==1.0.0 argparse==1.4.0
touch "$dir/site/zope/__init__.py"

cat >"$dir/wstest" <<EOF
#!/usr/bin/env bash
exec $dir/python -c 'import sys; sys.argv[0] = "wstest"; from autobahntestsuite.wstest import run; run()' "\$@"
EOF
chmod +x "$dir/wstest"
"$dir/python" -c 'import autobahntestsuite.wstest'
touch "$dir/.ready"
