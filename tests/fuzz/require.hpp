// What a fuzz target holds of every input. Not assert(): it is to hold in every kind of build.
#pragma once

#include <cstdio>
#include <cstdlib>

#define JARVIS_REQUIRE(condition)                                                              \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                                      \
        }                                                                                      \
    } while (false)
