#include "base/fd.hpp"

#include "base/result.hpp"

#include <cctype>
#include <cstring>
#include <unistd.h>

namespace jarvis {

Fd::~Fd()
{
    if (fd_ >= 0)
        ::close(fd_);
}

Error system_error(int error_number, std::string_view what)
{
    std::string text = ::strerrordesc_np(error_number) ? ::strerrordesc_np(error_number) : "unknown error";
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return {Errc::unavailable, fmt::format("{}: {}", what, text)};
}

} // namespace jarvis
