// The records of a snapshot out of its bytes.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace jarvis::journal {

struct DecodedRecord; // snapshot_records.hpp

// Takes a snapshot's bytes, however they are cut, and gives the records that are complete by then, in order. One that cannot be read
// is an error in its place, so that what stands before it is looked at first: it may say why.
class RecordDecoder {
    std::string rest_; // of a record that is not yet complete

public:
    std::vector<Result<DecodedRecord>> feed(std::string_view piece);
    bool at_boundary() const { return rest_.empty(); }
};

} // namespace jarvis::journal
