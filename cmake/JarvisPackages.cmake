# The libraries, found once. A library that only one plugin needs is looked for beside that plugin.

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json unit_test_framework)
find_package(fmt REQUIRED)
find_package(absl REQUIRED)             # B-trees
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto SSL)
find_package(PkgConfig REQUIRED)
# The controller lives on many small objects of many sizes, of which glibc's malloc() keeps twice what they take. The sanitizers
# bring an allocator of their own.
if(NOT JARVIS_SANITIZE)
    find_package(mimalloc REQUIRED)
endif()
pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET hwloc>=2.9)
pkg_check_modules(LIBCGROUP REQUIRED IMPORTED_TARGET libcgroup>=2.0)

# A program starts quicker with protobuf, fmt and the C++ library linked in. The sanitizers need shared ones, and so does a system
# that has no static protobuf, or a fmt whose sources lib/base/fmt.cpp is not made for.
find_library(JARVIS_STATIC_PROTOBUF_LITE libprotobuf-lite.a)
if(JARVIS_STATIC_PROTOBUF_LITE AND fmt_VERSION VERSION_GREATER_EQUAL 9 AND fmt_VERSION VERSION_LESS 10 AND NOT JARVIS_SANITIZE)
    set(JARVIS_QUICK_START ON CACHE INTERNAL "Programs have all but the C library linked in")
    set(JARVIS_PROTOBUF_LITE ${JARVIS_STATIC_PROTOBUF_LITE} Threads::Threads)
else()
    set(JARVIS_QUICK_START OFF CACHE INTERNAL "Programs have all but the C library linked in")
    set(JARVIS_PROTOBUF_LITE protobuf::libprotobuf-lite)
endif()
