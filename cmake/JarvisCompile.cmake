# How everything is compiled: C++23 as g++ 12 has it, warnings, sanitizers, ccache.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 17)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

# Assertions report bugs of this program and stay on in release builds.
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-g" "-g1" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-g" "-g1" CMAKE_CXX_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 sees these in its own inlining of std::variant and of Asio's coroutine frames, where there is nothing.
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized> $<$<COMPILE_LANGUAGE:CXX>:-Wno-mismatched-new-delete>
        $<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds>)
endif()
add_compile_definitions(_GNU_SOURCE)

set(JARVIS_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize= takes them")
if(JARVIS_SANITIZE)
    add_compile_options(-fsanitize=${JARVIS_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${JARVIS_SANITIZE})
    # g++ 12 warns about code that only its own instrumentation made.
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        add_compile_options(-Wno-tsan -Wno-stringop-overflow)
    else()
        add_compile_options(-fsanitize-ignorelist=${CMAKE_SOURCE_DIR}/cmake/undefined_elsewhere.txt)
        # What is undefined ends the program, so no code is needed that goes on: a quarter less to compile. And clang tells us of
        # what libstdc++ calls in headers of its own, when these are precompiled.
        add_compile_options(-fno-sanitize-recover=undefined $<$<COMPILE_LANGUAGE:CXX>:-Wno-deprecated-declarations>)
    endif()
endif()

# ccache needs to be told that precompiled headers are all right (its manual, "Precompiled headers").
find_program(JARVIS_CCACHE ccache)
if(JARVIS_CCACHE)
    set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${JARVIS_CCACHE})
    set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
    endif()
endif()
