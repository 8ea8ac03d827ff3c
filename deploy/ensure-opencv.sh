#!/bin/sh
# opencv-python links against the desktop's libGL, which servers often lack. Where it cannot be imported,
# the same version without windows takes its place: ppewatch opens none.
set -eu
python=$1
cd "$(dirname "$0")/.."
"$python" -c 'import cv2' 2>/dev/null && exit 0
echo "opencv-python cannot load here (no libGL?): installing its headless twin"
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall \
    --require-hashes -r requirements/opencv-headless.lock
"$python" -c 'import cv2'
