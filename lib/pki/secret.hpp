// Secrets that follow from a private key, for what must stay the same over a restart and be known to nobody else.
#pragma once

#include "pki/certificate.hpp"

namespace jarvis::pki {

// So many bytes by HKDF (RFC 5869, SHA-256). Another label or another context gives others that have nothing to do with them.
Result<std::string> derive_secret(const Key& key, std::string_view label, std::string_view context, std::size_t size);

} // namespace jarvis::pki
