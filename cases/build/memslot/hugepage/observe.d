/root/w/surv/cases/build/memslot/hugepage/observe.o: \
 memslot/hugepage/observe.c lib/cpus.h lib/util.h lib/gmem.h lib/vm.h \
 lib/kvm.h lib/kvm_abi.h lib/observe.h lib/json.h lib/step.h \
 lib/hostmem.h memslot/hugepage/huge.h lib/case.h lib/memslot.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/race.h lib/stats.h
lib/cpus.h:
lib/util.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/json.h:
lib/step.h:
lib/hostmem.h:
memslot/hugepage/huge.h:
lib/case.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/race.h:
lib/stats.h:
