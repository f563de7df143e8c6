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

// The same of a Result, with what it says.
#define JARVIS_REQUIRE_OK(result)                                                                                          \
    do {                                                                                                                   \
        if (!(result)) {                                                                                                   \
            std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #result, (result).error().message.c_str()); \
            std::abort();                                                                                                  \
        }                                                                                                                  \
    } while (false)
