// Job ids as people type them: "7,9-12", with tasks of arrays: "7_3,8_[1-4,9]".
#pragma once

#include "base/result.hpp"
#include "model/job_id_text.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::client {

// More ids than this in one list are a typing mistake ("1-99999999").
constexpr std::size_t max_listed_ids = 100'000;

struct IdList {
    std::vector<std::uint64_t> jobs; // ascending, each once; of an array it means all of it
    std::vector<JobSelection> tasks; // of arrays that are not in `jobs`; ascending, each array once
    friend bool operator==(const IdList&, const IdList&) = default;
};

Result<IdList> parse_id_list(std::string_view text);
// Of several lists: jcancel 7 9-12 13_3.
Result<IdList> parse_id_lists(std::span<const std::string> texts);

// The list that reads back to these ids, shortest: "7,9-12".
std::string format_id_list(std::vector<std::uint64_t> ids);

// Split at commas; empty parts are refused. `what` names one part in the message ("state").
Result<std::vector<std::string>> split_list(std::string_view text, std::string_view what);
Result<std::vector<std::string>> split_lists(std::span<const std::string> texts, std::string_view what);

} // namespace jarvis::client
