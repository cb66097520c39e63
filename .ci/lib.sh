# What ./run and ./test share: finding and installing what is missing, and the builds.
# POSIX sh; sourced with $root set to the top of the checkout.
#
# Compiled code goes to a folder in the user's cache, so that a second checkout does not compile the
# engine again. Cargo tells changed files by their times; `freshen` also tells them by content and by
# checkout, so that nobody is ever served stale code.

cache=${PADDOCK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/paddock}
bin=$root/target/bin
engine_dir=$root/src-tauri/engine

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# --- what the machine must have -----------------------------------------------------------------

find_cargo() {
    command -v cargo >/dev/null 2>&1 || [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH=$HOME/.cargo/bin:$PATH
}

need_toolchains() {
    find_cargo
    command -v cargo >/dev/null 2>&1 || fail "Rust is missing. Install it from https://rustup.rs and run this again."
    command -v npm >/dev/null 2>&1 || fail "Node.js (20 or newer) with npm is missing. Install it from https://nodejs.org and run this again."
    node_major=$(node -p 'process.versions.node.split(".")[0]')
    [ "$node_major" -ge 20 ] || fail "Node.js $node_major is too old: Paddock needs 20 or newer."
}

# Installs the Debian packages of its arguments that are not there, asking sudo only if it must.
need_packages() {
    [ "$(uname -s)" = Linux ] || return 0
    if ! command -v dpkg-query >/dev/null 2>&1; then
        say "Not a Debian or Ubuntu system: please make sure that the equivalents of these are installed: $*"
        return 0
    fi
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 || fail "These packages are missing and there is no sudo: please install$missing"
        as_root=sudo
    fi
    say "Installing:$missing"
    $as_root apt-get update -qq || say "The package lists could not be refreshed; trying with those at hand."
    # shellcheck disable=SC2086 # a list of words on purpose
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2 \
        || fail "These packages could not be installed:$missing"
}

build_packages="build-essential cmake nasm pkg-config patch libssl-dev libdbus-1-dev libwebkit2gtk-4.1-dev"
package_packages="dpkg-dev rpm librsvg2-bin"
test_packages="webkit2gtk-driver xvfb xauth xdotool xclip python3-gi gir1.2-gtk-3.0 dbus gnome-keyring chromium"

# --- never stale ---------------------------------------------------------------------------------

# freshen NAME FILE-OR-FOLDER...: gives every file that changed since the last build a new time, and every file if that
# build was another checkout's. To cargo the same crate of two checkouts is one, and times are all that it compares.
freshen() {
    record=$cache/target/$1.last
    shift
    mkdir -p "$cache/target"
    (
        cd "$root"
        {
            echo "$root"
            find "$@" -type d \( -name target -o -name node_modules -o -name output -o -path src-tauri/engine \) -prune -o -type f -print0 \
                | xargs -0 sha256sum
        } | LC_ALL=C sort > "$record.new"
        grep -qxF "$root" "$record" 2>/dev/null || : > "$record"
        LC_ALL=C comm -13 "$record" "$record.new" | grep -vxF "$root" | cut -c67- | tr '\n' '\0' | xargs -0 -r touch
    )
    mv "$record.new" "$record"
}

# From looking at the files until what was compiled has been used, no other checkout may build.
alone() {
    command -v flock >/dev/null 2>&1 || return 0
    mkdir -p "$cache/target"
    exec 9> "$cache/target/lock"
    flock -n 9 || { say "Waiting for another build of Paddock to end"; flock 9; }
}

not_alone() { exec 9>&-; }

# --- builds --------------------------------------------------------------------------------------

# paddock-chat's own tests want tokio with its test clock, with which everything above tokio would be compiled a second time.
app_selection="--workspace --exclude paddock-chat"
app_sources="Cargo.toml Cargo.lock src-tauri tests ui/dist"
engine_sources="src-tauri/engine/src src-tauri/engine/tests src-tauri/engine/kernels src-tauri/engine/Cargo.toml src-tauri/engine/Cargo.lock src-tauri/crates/protocol src-tauri/crates/checkpoint src-tauri/crates/conversation src-tauri/crates/decode"
logs=$cache/target/logs

app_cargo() { (cd "$root" && CARGO_TARGET_DIR=$cache/target/app cargo "$@"); }
engine_cargo() { (cd "$engine_dir" && CARGO_TARGET_DIR=$cache/target/engine cargo "$@"); }

install_ui() {
    stamp=$root/ui/node_modules/.paddock-lock
    if ! cmp -s "$root/ui/package-lock.json" "$stamp" 2>/dev/null; then
        say "Installing the packages of the user interface"
        (cd "$root/ui" && npm ci --no-audit --no-fund --loglevel=error >&2) || fail "npm ci failed."
        cp "$root/ui/package-lock.json" "$stamp"
    fi
}

build_ui() {
    install_ui
    contents=$(cd "$root/ui" && find src public index.html package.json vite.config.ts -type f | LC_ALL=C sort | xargs sha256sum | sha256sum)
    stamp=$root/ui/dist/.contents
    [ "$(cat "$stamp" 2>/dev/null)" = "$contents" ] && return 0
    say "Building the user interface"
    (cd "$root/ui" && npm run --silent build >&2) || fail "The user interface did not build."
    printf '%s\n' "$contents" > "$stamp"
}

# Builds what is named, `engine` and `app`, side by side. `app` needs build_ui: the pages are compiled in.
build() {
    mkdir -p "$logs"
    for program in "$@"; do
        : > "$logs/$program"
        # shellcheck disable=SC2086 # lists of words on purpose
        case $program in
            engine)
                "$engine_dir/prepare"
                freshen engine $engine_sources ;;
            app) freshen app $app_sources ;;
        esac
    done
    before=$(made_of)
    # cargo's own bar needs a terminal to itself, so what it counts is read from its log.
    tell_progress "$@" 9>&- &
    teller=$!
    export root engine_dir cache logs app_selection
    status=0
    CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=120 CARGO_TERM_COLOR=never \
        make --silent --no-print-directory -j "$(getconf _NPROCESSORS_ONLN)" -f "$root/.ci/programs.mk" "$@" || status=$?
    kill "$teller" 2>/dev/null || true
    wait "$teller" 2>/dev/null || true
    if [ "$status" != 0 ]; then
        for program in "$@"; do
            tr '\r' '\n' < "$logs/$program" | grep -vE '^ *(Building|Compiling|Downloading|Downloaded|Fresh|Finished|Updating|Locking|Adding) |^$' >&2 || true
        done
        fail "The programs did not build: $*"
    fi
    for program in "$@"; do
        case $program in
            engine) put "$cache/target/engine/release/paddock-engine" ;;
            app)
                put "$cache/target/app/release/paddock"
                mkdir -p "$bin/demo-model" "$bin/samples"
                cp -u "$root"/src-tauri/resources/demo-model/* "$bin/demo-model/"
                cp -u "$root"/src-tauri/resources/samples/* "$bin/samples/" ;;
        esac
    done
    [ "$*" != "engine app" ] || printf '%s\n' "$before" > "$bin/.made-of"
}

# How far cargo is, from its log: "123 of 645 (candle-core)"; nothing before it has counted.
progress() {
    tail -c 8000 "$1" 2>/dev/null | tr '\r' '\n' \
        | sed -n 's|.*\] \([0-9]*\)/\([0-9]*\): \([^ ,(]*\).*|\1 of \2 (\3)|p' | tail -n 1
}

# On a terminal one line that changes, elsewhere a line a minute; nothing for a build that ends within seconds.
tell_progress() {
    waited=0
    while sleep 1; do
        kill -0 $$ 2>/dev/null || return 0
        waited=$((waited + 1))
        [ "$waited" -ge 3 ] || continue
        line=
        for program in "$@"; do
            count=$(progress "$logs/$program")
            [ -z "$count" ] || line="$line${line:+, }$program $count"
        done
        [ -n "$line" ] || continue
        line="Building for $((waited / 60)):$(printf %02d $((waited % 60))): $line"
        if [ -t 2 ]; then
            printf '\r\033[K%.*s' "$(($(tput cols 2>/dev/null || echo 80) - 1))" "$line" >&2
        elif [ $((waited % 60)) = 0 ]; then
            printf '%s\n' "$line" >&2
        fi
    done
}

# What a finished build was made of: names, times and sizes of all sources, which is what cargo compares too, and the compiler.
made_of() {
    (
        cd "$root"
        echo "$root"
        rustc --version
        find Cargo.toml Cargo.lock run .ci tests/Cargo.toml src-tauri ui \
            -type d \( -name target -o -name node_modules -o -path ui/dist -o -path src-tauri/gen -o -path src-tauri/engine/.cargo \) -prune \
            -o -type f -printf '%p %T@ %s\n' | LC_ALL=C sort
    ) 2>/dev/null | sha256sum
}

# Whether this checkout's programs are of these sources. Where find cannot print times the answer is no.
is_finished() {
    [ -x "$bin/paddock" ] && [ -x "$bin/paddock-engine" ] || return 1
    find "$root/run" -printf '' 2>/dev/null || return 1
    [ "$(cat "$bin/.made-of" 2>/dev/null)" = "$(made_of)" ]
}

# The shared folder may be written by another checkout at any time: what is run is this checkout's copy.
put() {
    mkdir -p "$bin"
    cmp -s "$1" "$bin/$(basename "$1")" || { cp "$1" "$bin/.new" && mv "$bin/.new" "$bin/$(basename "$1")"; }
}
