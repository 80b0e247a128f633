# What the scripts here share. To be sourced.

# Installs the packages that are missing. Needs root only then.
install_packages() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2> /dev/null | grep -q '^ii' ||
            missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    echo "installing: ${missing[*]}"
    if [ "$(id -u)" != 0 ]; then
        echo "not root: please install these packages first: ${missing[*]}" >&2
        return 1
    fi
    if [ -z "${apt_updated:-}" ]; then
        apt-get update -qq
        apt_updated=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -qq \
        --no-install-recommends "${missing[@]}" > /dev/null
}

# ---- What ci/demo and ci/study share ----

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

# What networks are built with, and, where it can be had, what makes them fast and gives them images.
install_for_networks() {
    install_packages gcc libc6-dev meson ninja-build pkg-config libsleef-dev gzip gnuplot-nox
    install_packages libopenblas-dev || echo "no OpenBLAS: products of matrices take longer"
    install_packages dataset-fashion-mnist || true
}

# build_networks FOLDER TARGET...: for this CPU, without optimisations that take longer to compile than they
# save here.
build_networks() {
    local folder=$1 again=() log
    shift
    log=$folder/build.log
    [ ! -e "$folder/build.ninja" ] || again=(--reconfigure)
    mkdir -p "$folder"
    { meson setup "$folder" "${again[@]}" -Doptimization=2 "-Dtiers=$(best_tier)" \
        -Dtests=disabled -Dbench=disabled &&
        ninja -C "$folder" "$@"; } > "$log" 2>&1 || { cat "$log"; return 1; }
}

# choose_images FOLDER: sets `images`, the options of the programs that say where the images are: unpacked
# into the folder.
choose_images() {
    local packed=/usr/share/datasets/fashion-mnist file
    if [ -e $packed/train-images-idx3-ubyte.gz ]; then
        mkdir -p "$1/fashion"
        for file in {train,t10k}-{images-idx3,labels-idx1}-ubyte; do
            [ -e "$1/fashion/$file" ] || gzip -dc "$packed/$file.gz" > "$1/part"
            [ -e "$1/fashion/$file" ] || mv "$1/part" "$1/fashion/$file"
        done
        images=(--fashion "$1/fashion")
    else
        echo "no package dataset-fashion-mnist: the digits in data/ instead, which have less to show"
        gzip -dc data/digits.csv.gz > "$1/digits.csv"
        images=(--digits "$1/digits.csv")
    fi
}
