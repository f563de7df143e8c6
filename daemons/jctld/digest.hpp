// SHA-256, and random bytes.
#pragma once

#include "base/result.hpp"
#include "model/job_request.hpp"

#include <array>
#include <string_view>

namespace jarvis::jctld {

BlobHash sha256(std::string_view bytes);

// A random UUID (RFC 9562, version 4).
Result<std::array<std::uint8_t, 16>> random_uuid();

} // namespace jarvis::jctld
