#include "pki/openssl.hpp"

#include <openssl/err.h>

namespace jarvis::pki {

Error openssl_error(std::string_view what, Errc code)
{
    const auto error = ERR_peek_last_error();
    const char* reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
    ERR_clear_error();
    return {code, fmt::format("{}: {}", what, reason ? reason : "OpenSSL does not say why")};
}

} // namespace jarvis::pki
