# The libraries, found once. A library that only one plugin needs is looked for beside that plugin.

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json unit_test_framework)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto SSL)
find_package(PkgConfig REQUIRED)
pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET hwloc>=2.9)

# A program starts quicker with the static library. The sanitizers need the shared one, and so does a system that has no other.
find_library(JARVIS_STATIC_PROTOBUF_LITE libprotobuf-lite.a)
if(JARVIS_STATIC_PROTOBUF_LITE AND NOT JARVIS_SANITIZE)
    set(JARVIS_PROTOBUF_LITE ${JARVIS_STATIC_PROTOBUF_LITE} Threads::Threads)
else()
    set(JARVIS_PROTOBUF_LITE protobuf::libprotobuf-lite)
endif()
