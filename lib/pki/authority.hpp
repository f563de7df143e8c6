// Makes certificates. The files that they go to are the business of folder.hpp.
#pragma once

#include "pki/certificate.hpp"

namespace jarvis::pki {

struct Validity {
    WallTime from;
    WallTime until;
};

struct SignedBy {
    const Certificate& certificate;
    const Key& key;
};

// A self-signed certificate for `key`. With the same key and identity it takes the place of an older one: what was signed
// by that is signed by this.
Result<Certificate> make_authority(const Key& key, const Identity& identity, const Validity& validity);

// A certificate for a controller or node. It is not valid longer than its authority.
Result<Certificate> issue(const SignedBy& authority, const Key& key, const Identity& identity, const Validity& validity);

} // namespace jarvis::pki
