// Whether a program is still on its hook. SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tlsnap {

// A link leaves its cgroup when that is removed, or by force, and is a link all the same.
bool IsAttached(int link);

}  // namespace tlsnap
