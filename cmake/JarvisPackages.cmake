# The libraries, found once. A library that only one plugin needs is looked for beside that plugin.

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json unit_test_framework)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET hwloc>=2.9)
