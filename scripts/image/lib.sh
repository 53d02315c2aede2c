# What the steps of scripts/image share. Each of these changes only what differs, so that a second run changes nothing.
# shellcheck shell=bash

say() { printf '   %s\n' "$*"; }
fail() {
    printf 'image: %s\n' "$*" >&2
    exit 1
}

# put FILE PLACE MODE OWNER:GROUP
put() {
    local file="$1" place="$2" mode="$3" owner="$4"
    if [[ -f "$place" && ! -L "$place" ]] && cmp -s "$file" "$place" &&
        [[ "$(stat -c '%a %U:%G' "$place")" == "${mode#0} $owner" ]]; then
        return
    fi
    install -D -m "$mode" -o "${owner%:*}" -g "${owner#*:}" "$file" "$place.new"
    mv "$place.new" "$place"
    say "wrote $place"
}

# put_text PLACE MODE OWNER:GROUP < text
put_text() {
    local text
    text="$(mktemp)"
    cat >"$text"
    put "$text" "$@"
    rm -f "$text"
}

# put_directory PLACE MODE OWNER:GROUP
put_directory() {
    local place="$1" mode="$2" owner="$3"
    [[ -d "$place" && "$(stat -c '%a %U:%G' "$place")" == "${mode#0} $owner" ]] && return
    install -d -m "$mode" -o "${owner%:*}" -g "${owner#*:}" "$place"
    say "made $place"
}

# put_link TARGET PLACE
put_link() {
    [[ -L "$2" && "$(readlink "$2")" == "$1" ]] && return
    mkdir -p "$(dirname "$2")"
    ln -sfn "$1" "$2"
    say "linked $2"
}

# Units that must never start, whether they are installed or not.
mask() {
    local unit
    for unit; do
        put_link /dev/null "/etc/systemd/system/$unit"
    done
}

is_installed() { [[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" == installed ]]; }

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Options::=--force-confold \
        -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

has_role() { [[ ",$ROLES," == *",$1,"* ]]; }
