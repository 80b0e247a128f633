# What the scripts here share. To be sourced.

is_installed() {
    dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2> /dev/null | grep -q '^ii'
}

# Installs the packages that are missing. Needs root only then.
install_packages() {
    local package missing=()
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    if [ "$(id -u)" != 0 ]; then
        echo "not root: please install these packages first: ${missing[*]}" >&2
        return 1
    fi
    echo "installing: ${missing[*]}"
    if [ -z "${apt_updated:-}" ]; then
        # Fails for a while whenever a mirror is being brought up to date; the lists from before may do.
        apt-get -o Acquire::Retries=3 update -qq || { sleep 20 && apt-get update -qq; } ||
            echo "some of apt's lists are old"
        apt_updated=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -qq \
        --no-install-recommends "${missing[@]}" > /dev/null
}

# install_if_possible PACKAGE ELSE: false, after a line that says what is done without it, if that is not so.
install_if_possible() {
    if ! is_installed "$1" && { [ "$(id -u)" != 0 ] || ! install_packages "$1"; }; then
        echo "without $1: $2"
        return 1
    fi
}

# write_results NAME FILE: puts the file into docs/results.md, between the marks of what NAME prints.
write_results() {
    local page
    page=$(awk -v name="$1" -v file="$2" '
        /^<!-- end -->$/ { inside = 0 }
        !inside { print }
        $0 == "<!-- begin: output of " name " -->" {
            inside = found = 1
            while ((getline line < file) > 0) print line
        }
        END { exit !found || inside }' docs/results.md) ||
        { echo "docs/results.md has no marks for $1" >&2; return 1; }
    printf '%s\n' "$page" > docs/results.md
    echo "written: docs/results.md"
}

# ---- What ci/demo and ci/study share ----

# So many threads: the programs take 64 at most.
n_threads() {
    local cpus
    cpus=$(nproc)
    echo $((cpus < 64 ? cpus : 64))
}

# cpu_has FLAG...: whether this CPU, and the operating system, have all of them.
cpu_has() {
    local flag
    for flag in "$@"; do
        grep -qw "$flag" /proc/cpuinfo || return 1
    done
}

# The vector tier that the library would choose here, if any.
best_tier() {
    if cpu_has avx512f avx512bw avx512dq avx512vl; then
        echo avx512
    elif cpu_has avx2 fma f16c; then
        echo avx2
    elif [ "$(uname -m)" = aarch64 ]; then
        echo neon
    fi
}

# What networks are built with, and, where it can be had, what makes them fast.
install_for_networks() {
    install_packages gcc libc6-dev meson ninja-build pkg-config libsleef-dev gzip gnuplot-nox
    install_if_possible libopenblas-dev "products of matrices take longer" || true
}

# logged FILE COMMAND...: its output is shown only if it fails.
logged() {
    local log=$1
    shift
    "$@" > "$log" 2>&1 || { cat "$log"; return 1; }
}

# configure_networks FOLDER: for this CPU, without optimisations that take longer to compile than they save
# here.
configure_networks() {
    local again=()
    # Where the first configuration was interrupted, there is nothing to configure again.
    [ ! -e "$1/meson-private/coredata.dat" ] || again=(--reconfigure)
    mkdir -p "$1"
    logged "$1/build.log" meson setup "$1" "${again[@]}" -Doptimization=2 "-Dtiers=$(best_tier)" \
        -Dtests=disabled -Dbench=disabled
}

# build_networks FOLDER TARGET...: all targets if none is named.
build_networks() {
    logged "$1/build.log" ninja -C "$@"
}

# unpack_fashion FOLDER: Fashion-MNIST, from its package, into FOLDER/fashion.
unpack_fashion() {
    local packed=/usr/share/datasets/fashion-mnist file
    mkdir -p "$1/fashion"
    for file in {train,t10k}-{images-idx3,labels-idx1}-ubyte; do
        [ -e "$1/fashion/$file" ] ||
            { gzip -dc "$packed/$file.gz" > "$1/part" && mv "$1/part" "$1/fashion/$file"; } || return 1
    done
}

# unpack_digits FOLDER: into FOLDER/digits.csv.
unpack_digits() {
    gzip -dc data/digits.csv.gz > "$1/digits.csv"
}
