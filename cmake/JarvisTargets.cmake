# The kinds of target that the tree is made of. Each folder of lib/ is one static library called jarvis_<folder>,
# so target_link_libraries is the picture of what may know what.

set(JARVIS_PLUGIN_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/jarvis/plugins)
set(JARVIS_PLUGIN_INSTALL_DIR ${CMAKE_INSTALL_LIBDIR}/jarvis/plugins)

# jarvis_precompiled(target OWNER): takes the precompiled header of another target, which costs seconds to make and as many for each
# file that has none. It fits only code compiled alike, so programs are compiled as position independent code too.
function(jarvis_precompiled target owner)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "EXECUTABLE")
        set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
        target_compile_options(${target} PRIVATE -fPIC)
    endif()
    target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()

# Compiles so many files of a target at a time, if that is on.
function(jarvis_unity target on size)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ${on} UNITY_BUILD_BATCH_SIZE ${size})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        target_compile_options(${target} PRIVATE -Wno-subobject-linkage) # of each file's own types, in a batch
    endif()
endfunction()

# The files of the biggest targets instantiate much of the same, so a clean build compiles some of them together. For daily work
# the preset "debug" does not: one changed file is compiled alone.
option(JARVIS_BATCHES "Compile the files of big targets several at a time" ON)
function(jarvis_batches target)
    jarvis_unity(${target} ${JARVIS_BATCHES} 5)
endfunction()

# jarvis_library(base [ASIO] [BATCHED] SOURCES a.cpp b.cpp LINKS jarvis_fmt). With ASIO it uses Boost.Asio, as those who link it do.
function(jarvis_library name)
    cmake_parse_arguments(ARG "ASIO;BATCHED" "" "SOURCES;LINKS" ${ARGN})
    add_library(jarvis_${name} STATIC ${ARG_SOURCES})
    if(ARG_BATCHED)
        jarvis_batches(jarvis_${name})
    endif()
    target_include_directories(jarvis_${name} PUBLIC ${CMAKE_SOURCE_DIR}/lib ${CMAKE_SOURCE_DIR}/include)
    target_link_libraries(jarvis_${name} PUBLIC ${ARG_LINKS})
    if(ARG_ASIO)
        target_link_libraries(jarvis_${name} PUBLIC jarvis_asio)
        jarvis_precompiled(jarvis_${name} jarvis_asio)
    elseif(NOT name STREQUAL "base")
        jarvis_precompiled(jarvis_${name} jarvis_base)
    endif()
endfunction()

# jarvis_program(jsub [ASIO] [BATCHED] [PRECOMPILED precompiled.hpp] SOURCES jsub.cpp LINKS jarvis_client DESTINATION ${CMAKE_INSTALL_BINDIR})
# With PRECOMPILED it has a precompiled header of its own: worth it from some twenty files on.
function(jarvis_program name)
    cmake_parse_arguments(ARG "ASIO;BATCHED" "DESTINATION;PRECOMPILED" "SOURCES;LINKS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    if(ARG_BATCHED)
        jarvis_batches(${name})
    endif()
    target_link_libraries(${name} PRIVATE ${ARG_LINKS})
    if(ARG_PRECOMPILED)
        target_precompile_headers(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_PRECOMPILED})
    elseif(ARG_ASIO)
        jarvis_precompiled(${name} jarvis_asio)
    else()
        jarvis_precompiled(${name} jarvis_base)
    endif()
    install(TARGETS ${name} DESTINATION ${ARG_DESTINATION})
endfunction()

# jarvis_plugin(storage sqlite SOURCES ... LINKS ...): a shared object <kind>_<name>.so that sees include/jarvis only.
function(jarvis_plugin kind name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
    set(target plugin_${kind}_${name})
    add_library(${target} MODULE ${ARG_SOURCES})
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/include)
    target_link_libraries(${target} PRIVATE ${ARG_LINKS})
    set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${kind}_${name}
        LIBRARY_OUTPUT_DIRECTORY ${JARVIS_PLUGIN_OUTPUT_DIRECTORY}
        CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden)
    install(TARGETS ${target} DESTINATION ${JARVIS_PLUGIN_INSTALL_DIR})
endfunction()

# What protoc writes is checked by its own people for undefined behaviour, which takes longer to compile than all the rest of it.
set(JARVIS_GENERATED_OPTIONS)
if(JARVIS_SANITIZE MATCHES "undefined")
    set(JARVIS_GENERATED_OPTIONS -fno-sanitize=undefined)
endif()

# A test's own code runs once, and what it tests is optimized in its library: to optimize it takes longer than it saves.
set(JARVIS_TEST_OPTIONS -O0)

# jarvis_test(unit_base SOURCES a.cpp LINKS jarvis_base [TIER full]): a Boost.Test program, one ctest entry.
# Every test belongs to a tier, "short" unless it says "full"; tests/run.sh picks by that label.
function(jarvis_test name)
    cmake_parse_arguments(ARG "" "TIER;TIMEOUT" "SOURCES;LINKS" ${ARGN})
    if(NOT ARG_TIER)
        set(ARG_TIER short)
    endif()
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 300)
    endif()
    add_executable(test_${name} ${ARG_SOURCES})
    target_link_libraries(test_${name} PRIVATE ${ARG_LINKS} jarvis_test_main)
    jarvis_precompiled(test_${name} jarvis_test_main)
    target_compile_options(test_${name} PRIVATE ${JARVIS_TEST_OPTIONS})
    # Most of a test's compile time is what its headers instantiate, the same for each file.
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    jarvis_unity(test_${name} ON 8)
    add_test(NAME ${name} COMMAND test_${name})
    set_tests_properties(${name} PROPERTIES LABELS ${ARG_TIER} TIMEOUT ${ARG_TIMEOUT} PROCESSORS 2)
endfunction()

# jarvis_script_test(name SCRIPT file.py [TIER full] [SLOTS 2] [COST seconds] [ARGS ...]): a test that drives the built programs.
# The script finds them by JARVIS_BUILD_DIR and exits with 77 when it must skip (it prints why).
# tests/run.sh has two slots for each core: a test that mostly waits takes one, one that keeps a core busy two. Those with a COST begin
# first, the longest before the others.
function(jarvis_script_test name)
    cmake_parse_arguments(ARG "" "TIER;TIMEOUT;SCRIPT;SLOTS;COST" "ARGS" ${ARGN})
    if(NOT ARG_TIER)
        set(ARG_TIER short)
    endif()
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 600)
    endif()
    add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT} ${ARG_ARGS})
    set_tests_properties(${name} PROPERTIES LABELS ${ARG_TIER} TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77
        ENVIRONMENT "JARVIS_BUILD_DIR=${CMAKE_BINARY_DIR};JARVIS_SOURCE_DIR=${CMAKE_SOURCE_DIR}")
    if(ARG_SLOTS)
        set_tests_properties(${name} PROPERTIES PROCESSORS ${ARG_SLOTS})
    endif()
    if(ARG_COST)
        set_tests_properties(${name} PROPERTIES COST ${ARG_COST})
    endif()
endfunction()
