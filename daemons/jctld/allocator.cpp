#include "allocator.hpp"

#ifdef JARVIS_MIMALLOC
#include <mimalloc.h>
#endif

namespace jarvis::jctld {

void give_back_memory()
{
#ifdef JARVIS_MIMALLOC
    mi_collect(true);
#endif
}

} // namespace jarvis::jctld
