#!/usr/bin/env bash
# Makes a virtual environment with a prefix's python3, lets its pip install a wheel made on the spot, and uses it. No
# network is needed. usage: ci/check-pip.sh PREFIX WORK
set -euo pipefail
prefix=$(cd "$1" && pwd) work=$2
rm -rf "$work" && mkdir -p "$work"
cd "$work"
"$prefix/bin/python3" - <<'PYTHON'
import base64, hashlib, zipfile

files = {
    "hello_wheel/__init__.py": "def main():\n    print('hello from a wheel')\n",
    "hello_wheel-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: hello-wheel\nVersion: 1.0\n",
    "hello_wheel-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: check\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "hello_wheel-1.0.dist-info/entry_points.txt": "[console_scripts]\nhello-wheel = hello_wheel:main\n",
}
record = ""
for name, text in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    record += f"{name},sha256={digest},{len(text)}\n"
files["hello_wheel-1.0.dist-info/RECORD"] = record + "hello_wheel-1.0.dist-info/RECORD,,\n"
with zipfile.ZipFile("hello_wheel-1.0-py3-none-any.whl", "w") as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
PYTHON
"$prefix/bin/python3" -m venv environment
environment/bin/pip --disable-pip-version-check install --quiet --no-index ./hello_wheel-1.0-py3-none-any.whl
[ "$(environment/bin/hello-wheel)" = "hello from a wheel" ]
environment/bin/pip --disable-pip-version-check uninstall --quiet --yes hello-wheel
! environment/bin/python -c 'import hello_wheel' 2>/dev/null
echo "pip installs and removes wheels"
