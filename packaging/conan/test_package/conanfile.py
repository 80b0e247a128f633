"""Builds a program against the package, and looks at the mask that it prints."""
import io
import os

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, cmake_layout


class DropwiseTest(ConanFile):
    settings = "os", "arch", "compiler", "build_type"
    generators = "CMakeDeps", "CMakeToolchain"
    languages = "C"

    def requirements(self):
        self.requires(self.tested_reference_str)

    def layout(self):
        cmake_layout(self)

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def test(self):
        if can_run(self):
            printed = io.StringIO()
            self.run(os.path.join(self.cpp.build.bindir, "consumer"), stdout=printed, env="conanrun")
            assert printed.getvalue().strip() == "11010110101101111000111100011011", printed.getvalue()
