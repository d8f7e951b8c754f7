/* One line for each optimizer: KFI_OPTIMIZER(symbol). */
KFI_OPTIMIZER(sgd)
KFI_OPTIMIZER(rmsprop)
KFI_OPTIMIZER(adam)
