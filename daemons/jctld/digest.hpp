// SHA-256.
#pragma once

#include "model/job_request.hpp"

#include <string_view>

namespace jarvis::jctld {

BlobHash sha256(std::string_view bytes);

} // namespace jarvis::jctld
