// The number of the stored format. It is raised when an older controller could misread what a newer one writes; one that
// reads a higher number than its own refuses, naming both.
#pragma once

#include "base/result.hpp"

#include <cstdint>

namespace jarvis::journal {

constexpr std::uint32_t current_format = 1;

inline Result<void> check_format(std::uint32_t format, const char* what)
{
    if (format == 0)
        return fail(Errc::corrupt, "{}: no format number", what);
    if (format > current_format)
        return fail(Errc::corrupt, "{} has format {}, and this controller understands up to {}: run the newer version again, or "
                                   "restore a state folder of this version", what, format, current_format);
    return {};
}

} // namespace jarvis::journal
