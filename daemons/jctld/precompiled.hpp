// Precompiled for the controller: what nearly every file here includes. Files still include what they use.
#pragma once

#include "../../cmake/asio.hpp"
#include "client.pb.h"
#include "cluster/owner.hpp"
#include "config/config.hpp"
#include "daemon/log.hpp"
#include "journal/codec.hpp"
#include "node.pb.h"
#include "wire/convert.hpp"
