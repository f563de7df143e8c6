// Signatures by the key of a certificate, and digests.
#pragma once

#include "pki/certificate.hpp"

#include <string>
#include <string_view>

namespace jarvis::pki {

std::string sha256(std::string_view content); // 32 bytes

Result<std::string> sign(const Key& key, std::string_view content);
// Fails with `denied` when the key of that certificate did not sign just this.
Result<void> check_signature(const Certificate& signer, std::string_view content, std::string_view signature);

} // namespace jarvis::pki
