"""The library for Conan 2: conan create packaging/conan. Programs use dropwise::dropwise, or pkg-config."""
import os
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class Dropwise(ConanFile):
    name = "dropwise"
    license = "MIT"
    description = "Dropout masks from counter-based random numbers, fused with scale-and-mask"
    topics = ("dropout", "neural-networks", "random", "simd")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "attention": [True, False]}
    default_options = {"shared": False, "fPIC": True, "attention": True}
    languages = "C"
    implements = ["auto_shared_fpic"]

    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        text = load(self, os.path.join(self._root(), "meson.build"))
        self.version = re.search(r"version: '([0-9.]+)'", text).group(1)

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*"):
            copy(self, pattern, self._root(), self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["DROPWISE_ATTENTION"] = bool(self.options.attention)
        toolchain.cache_variables["DROPWISE_SLEEF"] = "OFF"  # no recipe of it to depend on
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        self.cpp_info.libs = ["dropwise"]
        self.cpp_info.set_property("cmake_target_name", "dropwise::dropwise")
        self.cpp_info.set_property("pkg_config_name", "dropwise")
        if not self.options.shared:
            self.cpp_info.defines = ["DROPWISE_STATIC"]
