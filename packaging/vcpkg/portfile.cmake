# An overlay port of this very tree: vcpkg install dropwise --overlay-ports=packaging/vcpkg. A registry's port has
# vcpkg_from_github or the tarball of ci/release in place of the next line. Nobody has run it yet.
get_filename_component(SOURCE_PATH "${CURRENT_PORT_DIR}/../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS features FEATURES attention DROPWISE_ATTENTION)
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}" OPTIONS ${features} -DDROPWISE_SLEEF=OFF -DDROPWISE_INSTALL=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/dropwise)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
