#!/bin/sh
# Installs ppewatch as a systemd service, or brings an installation up to date. Run it again at will: it changes only
# what differs and never touches site.yaml, credentials or state. `install.sh --help` says what it takes.
set -eu
umask 022

usage() {
    cat <<'TEXT'
usage: deploy/install.sh [options]

  --prefix DIR         where the program goes (default /opt/ppewatch)
  --root DIR           put everything below DIR, create no user and call no systemctl: for images and packages
  --requirements FILE  install these locked dependencies instead of requirements/run.lock
  --dry-run            say what would be done
  --now                also enable and start (or restart) the service
  --uninstall          remove program and service; settings, credentials and state stay
  --purge              with --uninstall: remove these and the user, too
TEXT
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

prefix=/opt/ppewatch root='' requirements='' dry_run='' now='' uninstall='' purge=''
while [ $# -gt 0 ]; do
    case $1 in
    --prefix | --root | --requirements)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        case $1 in
        --prefix) prefix=$2 ;;
        --root) root=$2 ;;
        --requirements) requirements=$2 ;;
        esac
        shift
        ;;
    --dry-run) dry_run=1 ;;
    --now) now=1 ;;
    --uninstall) uninstall=1 ;;
    --purge) purge=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
case $prefix in
*[!A-Za-z0-9/._-]* | / | */ | [!/]*) fail "--prefix takes an absolute path of letters, digits and . _ - /" ;;
/usr | /etc | /var | /opt | /home | /bin | /lib | /tmp | /usr/local) fail "--prefix needs a folder of its own" ;;
esac
[ -z "$purge" ] || [ -n "$uninstall" ] || fail "--purge goes with --uninstall"

source_dir=$(cd "$(dirname "$0")/.." && pwd)
venv=$prefix/venv
etc=$root/etc/ppewatch
unit=$root/etc/systemd/system/ppewatch.service
dropins=$root/etc/systemd/system/ppewatch.service.d
link=$root/usr/local/bin/ppewatch

# A live system: not a staged root, and somebody allowed to change it.
live=''
if [ -z "$root" ]; then
    live=1
    [ -n "$dry_run" ] || [ "$(id -u)" = 0 ] || fail "needs root (or --root DIR, or --dry-run)"
fi

run() {
    if [ -n "$dry_run" ]; then echo "would run: $*"; else "$@"; fi
}

systemd() {
    [ -z "$live" ] || ! command -v systemctl >/dev/null || run systemctl "$@"
}

# put MODE SOURCE TARGET: copies unless the target is the same already
put() {
    cmp -s "$2" "$3" || { echo "writing $3" && run install -m "$1" "$2" "$3"; }
}

# owned GROUP PATH: gives a path to root and a group, on a live system
owned() {
    [ -z "$live" ] || run chown "root:$1" "$2"
}

remove() {
    systemd disable --now ppewatch.service || true
    run rm -f "$unit" "$link"
    run rm -rf "$root$venv"
    run rm -f "$root$prefix/README.md"
    [ ! -d "$root$prefix" ] || run rmdir --ignore-fail-on-non-empty "$root$prefix"
    if [ -n "$purge" ]; then
        run rm -rf "$etc" "$dropins" "$root/var/lib/ppewatch" "$root/var/cache/ppewatch"
        if [ -n "$live" ] && id ppewatch >/dev/null 2>&1; then run userdel ppewatch; fi
    else
        echo "kept: $etc, $dropins and $root/var/lib/ppewatch (--purge removes them)"
    fi
    systemd daemon-reload
}

create_user() {
    if [ -n "$live" ] && ! id ppewatch >/dev/null 2>&1; then
        run useradd --system --user-group --home-dir /var/lib/ppewatch --no-create-home \
            --shell /usr/sbin/nologin ppewatch
    fi
}

install_program() {
    python=${PYTHON:-$("$source_dir/deploy/find-python.sh")}
    base=$("$python" -c 'import sys; print(sys.base_prefix)')
    case $live$base in
    1/home/* | 1/root/*)
        fail "the service could not read $base: set PYTHON=/usr/bin/python3 or another one outside /home and /root"
        ;;
    esac
    lock=${requirements:-$source_dir/requirements/run.lock}
    [ -r "$lock" ] || fail "cannot read $lock"
    run install -d -m 0755 "$root$prefix"
    [ -x "$root$venv/bin/python" ] || run "$python" -m venv "$root$venv"
    echo "installing the locked dependencies into $root$venv"
    pip="$root$venv/bin/python -m pip --quiet --disable-pip-version-check --no-input install"
    # shellcheck disable=SC2086
    run $pip --require-hashes -r "$lock"
    # built from a copy, so that the source may be read-only and stays clean
    if [ -n "$dry_run" ]; then
        echo "would run: $pip --no-deps --no-build-isolation $source_dir"
    else
        copy=$(mktemp -d)
        trap 'rm -rf "$copy"' EXIT
        (cd "$source_dir" && tar -cf - --exclude __pycache__ \
            setup.cfg pyproject.toml README.md LICENSE config models rules streamer) | tar -xf - -C "$copy"
        # shellcheck disable=SC2086
        $pip --no-deps --no-build-isolation --force-reinstall "$copy"
    fi
    [ -n "$requirements" ] || run "$source_dir/deploy/ensure-opencv.sh" "$root$venv/bin/python"
    put 0644 "$source_dir/README.md" "$root$prefix/README.md"
    run install -d "$root/usr/local/bin"
    run ln -sfn "$venv/bin/ppewatch" "$link"
}

# The networks are exported for this machine's processor now, so that the service starts at once. It can do so itself.
prepare_networks() {
    [ -n "$live" ] || return 0
    run install -d -m 0700 -o ppewatch -g ppewatch /var/cache/ppewatch
    echo "preparing the networks for this machine"
    run setpriv --reuid ppewatch --regid ppewatch --clear-groups \
        env HOME=/var/lib/ppewatch "$venv/bin/ppewatch" weights export --out /var/cache/ppewatch ||
        echo "install.sh: the networks could not be prepared: the first start will take longer" >&2
}

install_settings() {
    [ -d "$etc" ] || { run install -d -m 0750 "$etc" && owned ppewatch "$etc"; }
    run install -d -m 0700 "$etc/credentials"
    if [ -e "$etc/site.yaml" ]; then
        echo "keeping $etc/site.yaml"
    else
        put 0640 "$source_dir/config/example.yaml" "$etc/site.yaml" && owned ppewatch "$etc/site.yaml"
        echo "edit $etc/site.yaml, then: ppewatch check /etc/ppewatch/site.yaml"
    fi
}

install_service() {
    staged=$(mktemp)
    sed "s#/opt/ppewatch#$prefix#g" "$source_dir/deploy/systemd/ppewatch.service" >"$staged"
    run install -d "$(dirname "$unit")" "$dropins"
    put 0644 "$staged" "$unit"
    rm -f "$staged"
    [ -e "$dropins/credentials.conf" ] ||
        put 0644 "$source_dir/deploy/systemd/credentials.conf" "$dropins/credentials.conf"
    systemd daemon-reload
    if [ -n "$now" ]; then
        systemd enable ppewatch.service
        systemd restart ppewatch.service
    elif [ -n "$live" ]; then
        echo "start it with: systemctl enable --now ppewatch (after an update: systemctl restart ppewatch)"
    fi
}

if [ -n "$uninstall" ]; then
    remove
else
    create_user
    install_program
    prepare_networks
    install_settings
    install_service
fi
